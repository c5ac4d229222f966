// The way into wall mode. history.js precedes this file.
const intoWall = (setStateValue) => {
  // Only a click may ask for the full screen. Without it wall mode fills the window.
  document.documentElement.requestFullscreen?.({ navigationUI: "hide" }).catch(() => {})
  const address = new URL(location.href)
  address.searchParams.set("wall", "1")
  history.pushState(history.state, "", address)
  setStateValue("entered", Date.now())
}

export default function ({ parentElement, setStateValue }) {
  let button = parentElement.querySelector(".wall-button")
  if (!button) {
    button = document.createElement("button")
    button.type = "button"
    button.className = "wall-button"
    button.title = "Full screen for a wall: larger type, no controls. Esc leaves it."
    button.textContent = "Wall"
    parentElement.append(button)
  }
  button.onclick = () => intoWall(setStateValue)
}
