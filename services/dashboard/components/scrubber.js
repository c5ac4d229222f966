// A slider over the minutes of the hour, drawn on the curve of their views. The page shows the chosen minute.
const MINUTE_MS = 60000
const MOVE_TIMEOUT_MS = 5000
const clock = (minute, ahead_ms) => new Date(minute * MINUTE_MS + ahead_ms).toISOString().slice(11, 16)

const build = (parent) => {
  const box = document.createElement("div")
  box.className = "scrubber"
  box.innerHTML = `<output></output><div class="track"><div class="bars" aria-hidden="true"></div>
    <input type="range" step="1" aria-label="Minute to look at"></div><button type="button">Back to live</button>`
  parent.append(box)
  return box
}

export default function ({ data, parentElement, setStateValue }) {
  const box = parentElement.querySelector(".scrubber") ?? build(parentElement)
  const [output, slider, back, bars] = ["output", "input", "button", ".bars"].map((name) => box.querySelector(name))
  const show = (minute) => {
    const live = minute === data.last && data.at === null
    const time = `${clock(minute, data.ahead_ms)} ${data.zone}`
    output.textContent = live ? `Up to ${time}, live` : `As it was at ${time}`
    output.title = `${clock(minute, 0)} UTC`
    slider.setAttribute("aria-valuetext", output.textContent)
    const reached = (minute - data.first) / Math.max(1, data.last - data.first)
    ;[...bars.children].forEach((bar, place) => bar.classList.toggle("past", place <= reached * (bars.children.length - 1)))
    box.classList.toggle("scrubbed", !live)
    back.disabled = live
  }
  const shape = data.bars.join(" ")
  if (bars.shape !== shape) {
    bars.shape = shape
    bars.replaceChildren(
      ...data.bars.map((height) => {
        const bar = document.createElement("i")
        bar.style.height = `${Math.round(100 * height)}%`
        return bar
      }),
    )
  }
  slider.min = data.first
  slider.max = data.last
  const reported = data.at ?? data.last
  // A refresh that started before the viewer's move must not undo it.
  if (box.moved && (reported === box.moved.to || Date.now() > box.moved.until)) box.moved = undefined
  if (!box.held) slider.value = box.moved ? box.moved.to : reported
  show(box.held || box.moved ? Number(slider.value) : reported)
  slider.onpointerdown = () => (box.held = true)
  slider.onpointerup = slider.onpointercancel = () => (box.held = false)
  slider.oninput = () => show(Number(slider.value))
  const move = (minute) => {
    box.held = false
    box.moved = { to: minute, until: Date.now() + MOVE_TIMEOUT_MS }
    setStateValue("picked", { what: minute === data.last ? "live" : minute, at: Date.now() })
  }
  slider.onchange = () => move(Number(slider.value))
  back.onclick = () => move(data.last)
}
