// The status strip, aged by the browser: a server that hangs, a lost connection or a paused page cannot say that its
// numbers are getting old. patch.js precedes this file, and STALE_AFTER_MS.

const LIVE_REFRESH_S = 2 // a page that refreshes more slowly is never up to the second

const lasting = (seconds) => {
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)]
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (hours < 1) return `${minutes} min`
  return hours < 24 ? `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}` : `${Math.floor(hours / 24)} d`
}

const ago = (seconds) => (seconds < 1 ? "now" : `${lasting(seconds)} ago`)

// What is true now instead of the server's words: standing, name and reason. Nothing while those are still true.
const agedWords = ({ at, refresh_s, standing, name }, age_ms, isConnected) => {
  const isSlow = refresh_s > LIVE_REFRESH_S
  const then = "The numbers below are from then"
  const since = `since ${at} (${lasting(age_ms / 1000)})`
  if (!isConnected) return ["disconnected", "Disconnected", `No numbers from the dashboard ${since}; trying again. ${then}.`]
  if (!refresh_s) return ["paused", `Paused at ${at}`, standing === "live" ? `${then}.` : `${then}. The status was: ${name}.`]
  if (age_ms > STALE_AFTER_MS + (isSlow ? 1000 * refresh_s : 0))
    return ["silent", "No answer", `The dashboard has not answered ${since}. ${then}.`]
  if (isSlow && standing === "live") return ["held", `As of ${at}`, `${then}. The page refreshes every ${refresh_s} s.`]
}

const isConnected = () => {
  const app = document.querySelector(".stApp")
  return !app || app.dataset.testConnectionState === "CONNECTED"
}

// Screen readers announce the status when it changes, not every second.
const announce = (spoken, strip) => {
  const words = [...strip.querySelectorAll("strong, .reason")].map((text) => text.textContent)
  const change = strip.dataset.standing === "paused" ? words[0] : strip.dataset.standing
  spoken.setAttribute("role", "status")
  if (spoken.change === change) return
  spoken.change = change
  spoken.textContent = words.join(". ")
}

// Shows what is true now: the server's words, or that they have grown old.
const tell = (root) => {
  const [box, spoken] = root.children
  const { arrived } = root
  // The greater of both, because one stops while the machine sleeps, and the other may be set back.
  const age_ms = Math.max(Date.now() - arrived.date_ms, performance.now() - arrived.run_ms)
  const words = agedWords(arrived, age_ms, isConnected())
  if (!words) write(box, arrived.html)
  const strip = box.querySelector(".strip")
  if (words) {
    const [standing, name, reason] = words
    box.html = undefined // it no longer shows what was written
    strip.dataset.standing = standing
    strip.querySelector("strong").lastChild.data = name
    strip.querySelector(".reason").textContent = reason
  }
  strip.querySelectorAll("[data-age-s]").forEach((text) => {
    text.textContent = ago(Number(text.dataset.ageS) + age_ms / 1000)
  })
  announce(spoken, strip)
  root.onTold?.(strip.dataset.standing)
}

// The strip of a page that has just arrived. `at` is the time the page was drawn at, in words, and differs whenever it
// was drawn again; `refresh_s` is the time to the next one, 0 when the page does not refresh.
const showStanding = (root, { strip, at, refresh_s }) => {
  const box = childOf(root, 0, "div", "standing")
  childOf(root, 1, "p", "spoken")
  write(box, strip)
  const shown = box.querySelector(".strip")
  root.arrived = {
    html: strip,
    at,
    refresh_s,
    standing: shown.dataset.standing,
    name: shown.querySelector("strong").textContent,
    date_ms: Date.now(),
    run_ms: performance.now(),
  }
  tell(root)
  root.aging ??= setInterval(() => {
    if (root.isConnected) return tell(root)
    clearInterval(root.aging)
    root.aging = undefined
  }, 1000)
}
