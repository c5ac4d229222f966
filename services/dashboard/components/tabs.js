// A card's tabs. The page has all of them, so a choice shows at once. Only the chosen ones are kept current, so a choice
// also asks for the page. It is in the address, under the card's name, which alone says which tab is shown: Back, a
// reload and a copied link find it there, and so does the server.
const setIf = (element, name, value) => element.getAttribute(name) === value || element.setAttribute(name, value)

const chosenTab = ({ name, tabs }) => {
  const wanted = new URLSearchParams(location.search).get(name)
  return tabs.find((tab) => tab.name === wanted) ?? tabs[0]
}

const showChosen = (card) => {
  const [{ children }, ...panels] = card.children
  const chosen = chosenTab(card.tabbed)
  card.tabbed.tabs.forEach((tab, place) => {
    const isChosen = tab === chosen
    const button = children[1].children[place]
    setIf(button, "aria-selected", String(isChosen))
    setIf(button, "tabindex", isChosen ? "0" : "-1")
    for (const element of [children[0].children[place], panels[place]])
      if (element.hidden === isChosen) element.hidden = !isChosen
  })
}

const chooseTab = (card, place) => {
  const { name, tabs } = card.tabbed
  const address = new URL(location.href)
  if (place) address.searchParams.set(name, tabs[place].name)
  else address.searchParams.delete(name)
  history.pushState(history.state, "", address)
  showChosen(card)
  card.closest(".board-page")?.rerun()
}

// As the ARIA Authoring Practices want it: one stop of the Tab key, and arrows from tab to tab.
const MOVES = {
  ArrowLeft: (place, count) => (place + count - 1) % count,
  ArrowRight: (place, count) => (place + 1) % count,
  Home: () => 0,
  End: (place, count) => count - 1,
}

const tabButton = (card, place) => {
  const button = document.createElement("button")
  button.type = "button"
  button.onclick = () => chooseTab(card, place)
  button.onkeydown = (event) => {
    if (!MOVES[event.key] || event.altKey || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    const next = MOVES[event.key](place, card.tabbed.tabs.length)
    chooseTab(card, next)
    button.parentElement.children[next].focus()
  }
  return button
}

const dropAfter = (parent, count) => {
  while (parent.children.length > count) parent.lastChild.remove()
}

// `showPart(element, part)` shows a part of a tab; the first part of each is its head, beside which the buttons are.
const showTabs = (card, name, tabs, showPart) => {
  card.tabbed = { name, tabs }
  const top = childOf(card, 0, "div", "tabs-top")
  const [heads, bar] = [childOf(top, 0, "div", "tab-heads"), childOf(top, 1, "div", "tabs")]
  setIf(bar, "role", "tablist")
  tabs.forEach((tab, place) => {
    const [buttonId, panelId] = [`tab-${name}-${tab.name}`, `panel-${name}-${tab.name}`]
    const button = bar.children[place] ?? bar.appendChild(tabButton(card, place))
    const before = card.children[place + 1]
    if (before && before.id !== panelId) {
      forgetAll(before) // another tab's chart must not stay in this one
      before.replaceWith(document.createElement("div"))
    }
    const panel = childOf(card, place + 1, "div", "tab")
    if (button.textContent !== tab.label) button.textContent = tab.label
    const named = { id: buttonId, role: "tab", "aria-controls": panelId }
    for (const [attribute, value] of Object.entries(named)) setIf(button, attribute, value)
    const owned = { id: panelId, role: "tabpanel", "aria-labelledby": buttonId }
    for (const [attribute, value] of Object.entries(owned)) setIf(panel, attribute, value)
    const [titled, [head, ...parts]] = [childOf(heads, place, "div", "part"), tab.parts]
    if (!head) return // not kept current while hidden
    showPart(titled, head)
    parts.forEach((part, number) => showPart(childOf(panel, number, "div", "part"), part))
  })
  dropAfter(heads, tabs.length)
  dropAfter(bar, tabs.length)
  dropAfter(card, tabs.length + 1)
  setIf(bar, "aria-label", heads.querySelector("h2")?.textContent ?? name)
  showChosen(card)
}
