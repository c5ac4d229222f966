// Wall mode: a page for a screen that nobody sits at. Python draws what is on it; this sizes it, keeps the screen awake
// and leads out of it.
const CANVAS = { landscape: [1232, 693], portrait: [830, 1475] } // in px of the stylesheet, enlarged to the screen
const POINTER_MS = 3000

const enlarge = (root) => {
  const [width, height] = innerWidth >= innerHeight ? CANVAS.landscape : CANVAS.portrait
  const zoom = Math.min(innerWidth / width, innerHeight / height)
  root.style.setProperty("--zoom", zoom.toFixed(4))
  root.classList.toggle("portrait", innerWidth < innerHeight)
}

const stayAwake = async (root) => {
  if (document.hidden || root.lock || !navigator.wakeLock) return
  root.lock = "asked"
  try {
    root.lock = await navigator.wakeLock.request("screen")
    if (!root.isWall) return letSleep(root)
    root.lock.onrelease = () => (root.lock = undefined) // as when the tab is hidden
  } catch {
    root.lock = undefined // on low battery, for example; the next refresh tries again
  }
}

const letSleep = (root) => {
  const { lock } = root
  root.lock = undefined
  lock?.release?.()
}

const showPointer = (root) => {
  root.classList.remove("idle")
  clearTimeout(root.idling)
  root.idling = setTimeout(() => root.classList.add("idle"), POINTER_MS)
}

const leaveWall = (root) => {
  if (!root.isWall) return
  if (document.fullscreenElement) document.exitFullscreen()
  const address = new URL(location.href)
  address.searchParams.delete("wall")
  history.pushState(history.state, "", address)
  root.rerun()
}

const watchWall = (root) => {
  if (root.watching) return
  root.watching = new AbortController()
  const { signal } = root.watching
  addEventListener("resize", () => enlarge(root), { signal })
  for (const act of ["pointermove", "pointerdown"]) addEventListener(act, () => showPointer(root), { signal })
  addEventListener("keydown", ({ key }) => key === "Escape" && leaveWall(root), { signal })
  // In full screen the browser keeps Escape to itself.
  document.addEventListener("fullscreenchange", () => document.fullscreenElement || leaveWall(root), { signal })
}

const showWall = (root, isWall) => {
  root.isWall = isWall
  root.classList.toggle("wall", isWall)
  if (isWall) {
    enlarge(root)
    if (!root.watching) showPointer(root)
    watchWall(root)
    stayAwake(root)
  } else closeWall(root)
}

const closeWall = (root) => {
  root.watching?.abort()
  root.watching = undefined
  clearTimeout(root.idling)
  root.classList.remove("idle", "portrait")
  root.isWall = false
  letSleep(root)
}
