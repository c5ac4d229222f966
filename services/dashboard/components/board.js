// The whole live page as one Streamlit element; patch.js, standing.js, figure.js and world_map.js precede this file. It
// receives a page as compressed JSON (see encoding.py) and patches the existing nodes, so nothing flickers, scrolls or
// loses focus.

const forgetAll = (element) => element.querySelectorAll(".live-plot").forEach(forget)

const show = (root, page) => {
  showStanding(root, page)
  write(childOf(root, 2, "div", "key-figures"), page.figures)
  const board = childOf(root, 3, "div", "board")
  while (board.children.length > page.cards.length) {
    forgetAll(board.lastChild)
    board.lastChild.remove()
  }
  page.cards.forEach(({ name, style, split, parts }, number) => {
    const className = `card card-${name}${split ? " split" : ""}`
    const before = board.children[number]
    if (before && before.className !== className) {
      forgetAll(before) // another card's chart must not stay in this one
      before.replaceWith(document.createElement("section"))
    }
    const card = childOf(board, number, "section", className)
    if (card.getAttribute("style") !== style) card.setAttribute("style", style)
    parts.forEach((part, place) => {
      const element = childOf(card, place, "div", "part")
      if (part.figure) plotIn(element, { ...part, plotly: PLOTLY })
      else if (part.countries) mapIn(element, part, WORLD).catch(console.error)
      else write(element, part.html)
    })
  })
  write(childOf(root, 4, "div", "notices"), page.notice)
}

const read = (bytes) =>
  new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json()

export default function ({ data, parentElement }) {
  let root = parentElement.querySelector(".live-page")
  if (!root) {
    root = document.createElement("div")
    root.className = "live-page stHtml"
    parentElement.append(root)
  }
  root.wanted = data
  read(data)
    .then((page) => root.wanted === data && show(root, page))
    .catch(console.error)
  return () => {
    if (!root.isConnected) forgetAll(root)
  }
}
