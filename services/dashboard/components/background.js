// Refreshes a page whose tab is in the background. Browsers slow down the timers of such tabs, Streamlit's too, to one a
// minute, which would leave an old number in the tab's title. They do not slow down those of a worker.
const TICK_MS = 1000
const SLACK_MS = 500

const ticking = (tick) => {
  const script = URL.createObjectURL(new Blob([`setInterval(() => postMessage(0), ${TICK_MS})`], { type: "text/javascript" }))
  const worker = new Worker(script)
  worker.onmessage = tick
  return () => {
    worker.terminate()
    URL.revokeObjectURL(script)
  }
}

// Calls `ask` when a hidden page has not been refreshed for as long as it should be.
const keepRefreshing = (root, ask) => {
  root.ask = ask // of the newest run
  if (root.stopTicking) return
  root.stopTicking = ticking(() => {
    if (!document.hidden || !root.arrived?.refresh_s) return
    tell(root)
    const now = performance.now()
    const due = 1000 * root.arrived.refresh_s + SLACK_MS
    if (now - Math.max(root.arrived.run_ms, root.asked_ms ?? 0) < due) return
    root.asked_ms = now
    root.ask()
  })
}

const stopRefreshing = (root) => {
  root.stopTicking?.()
  root.stopTicking = undefined
}

// A frozen tab does nothing at all until it thaws.
document.addEventListener("freeze", () => document.querySelectorAll(".board-page").forEach((root) => entitle(root, "silent")))
