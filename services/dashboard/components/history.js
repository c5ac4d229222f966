// One entry of the browser's history for each act of the viewer, so that Back restores the choice before it. Streamlit
// makes none when a control changes, and several when the page does; after Back it reads the choices from the address.
const keepChoices = () => {
  if (window.clickpulseKeepsChoices) return // another page's element does
  window.clickpulseKeepsChoices = true
  const [push, replace] = [history.pushState.bind(history), history.replaceState.bind(history)]
  let isEntered = true // the act has its entry: what changes the address further belongs to it
  for (const act of ["pointerdown", "keydown", "click"]) addEventListener(act, () => (isEntered = false), true)
  addEventListener("popstate", () => (isEntered = true))
  history.pushState = history.replaceState = (state, unused, address) => {
    const isSame = new URL(address ?? location.href, location.href).href === location.href
    if (isSame || isEntered) return replace(state, unused, address)
    isEntered = true
    push(state, unused, address)
  }
}

keepChoices()
