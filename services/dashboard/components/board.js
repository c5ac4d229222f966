// A whole page as one Streamlit element; patch.js, standing.js, history.js, figure.js, world_map.js, tabs.js,
// tab_title.js, background.js and wall.js precede this file. It receives what changed since the page it shows (see edition.py) and patches the existing nodes, so nothing
// flickers, scrolls or loses focus.

// Rows below a card's head that scroll, also by the keyboard.
const scrolling = (card, place, height, head) => {
  const box = childOf(card, place, "div", "part scroll")
  const title = new DOMParser().parseFromString(head, "text/html").querySelector("h2")?.textContent ?? ""
  const wanted = { role: "region", tabindex: "0", "aria-label": title, style: `height:${height}px` }
  for (const [name, value] of Object.entries(wanted)) if (box.getAttribute(name) !== value) box.setAttribute(name, value)
  return box
}

const forgetAll = (element) => element.querySelectorAll(".live-plot").forEach(forget)

const showPart = (element, part) => {
  if (part.figure) plotIn(element, { ...part, plotly: PLOTLY })
  else if (part.countries) mapIn(element, part, WORLD).catch(console.error)
  else write(element, part.html)
}

const show = (root, page) => {
  root.titled = { name: page.name, count: page.count }
  root.onTold = (standing) => entitle(root, standing)
  showStanding(root, page)
  showWall(root, Boolean(page.wall))
  write(childOf(root, 2, "div", "key-figures"), page.figures)
  const board = childOf(root, 3, "div", "board")
  while (board.children.length > page.cards.length) {
    forgetAll(board.lastChild)
    board.lastChild.remove()
  }
  page.cards.forEach(({ name, style, split, scroll, parts, tabs = [] }, number) => {
    const className = `card card-${name}${split ? " split" : ""}${tabs.length ? " tabbed" : ""}`
    const before = board.children[number]
    if (before && before.className !== className) {
      forgetAll(before) // another card's chart must not stay in this one
      before.replaceWith(document.createElement("section"))
    }
    const card = childOf(board, number, "section", className)
    if (card.getAttribute("style") !== style) card.setAttribute("style", style)
    parts.forEach((part, place) => {
      const element = place && scroll ? scrolling(card, place, scroll, parts[0].html) : childOf(card, place, "div", "part")
      showPart(element, part)
    })
    if (tabs.length) showTabs(card, name, tabs, showPart)
  })
  write(childOf(root, 4, "div", "notices"), page.notice)
}

// Puts the page of a message together from the page before it. False if that is not the page that is shown.
const receive = (root, message) => {
  const end = message.indexOf(10)
  const { edition, before, parts } = JSON.parse(new TextDecoder().decode(message.subarray(0, end)))
  if (edition === root.edition) return true
  if (before !== null && before !== root.edition) return false
  const pieces = []
  let [place, start] = [end + 1, 0]
  for (let part = 0; part < parts.length; part += 3) {
    const [moved, length, fresh] = parts.slice(part, part + 3)
    start += moved
    if (length) pieces.push(root.page.subarray(start, start + length))
    pieces.push(message.subarray(place, (place += fresh)))
    start += length + fresh
  }
  root.page = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  pieces.reduce((at, piece) => (root.page.set(piece, at), at + piece.length), 0)
  root.edition = edition
  show(root, JSON.parse(new TextDecoder().decode(root.page)))
  return true
}

// After Back and Forward.
addEventListener("popstate", () => document.querySelectorAll(".board-page .tabbed").forEach(showChosen))

export default function ({ data, parentElement, setStateValue }) {
  let root = parentElement.querySelector(".board-page")
  if (!root) {
    root = document.createElement("div")
    root.className = "board-page stHtml"
    parentElement.append(root)
  }
  root.rerun = () => setStateValue("asked", Date.now())
  if (!receive(root, data)) setStateValue("lost", Date.now())
  if (root.titled?.name) keepRefreshing(root, root.rerun)
  return () => {
    if (root.isConnected) return
    forgetAll(root)
    stopRefreshing(root)
    closeWall(root)
  }
}
