// The whole live page as one Streamlit element; figure.js and world_map.js precede this file. It receives a page as
// compressed JSON (see encoding.py) and patches the existing nodes, so nothing flickers, scrolls or loses focus.

// Python has escaped the page's HTML. As a second defence, only these elements and attributes are taken over.
const TAGS = new Set("b br code dd div dl dt h1 h2 i p section small span strong table tbody td th thead time tr".split(" "))
const ATTRIBUTES = new Set("aria-hidden aria-label class data-standing datetime role scope style tabindex title".split(" "))

const isShown = (node) => node.nodeType === Node.TEXT_NODE || TAGS.has(node.localName)

const patch = (shown, wanted) => {
  const nodes = [...wanted.childNodes].filter(isShown)
  nodes.forEach((node, place) => {
    const isText = node.nodeType === Node.TEXT_NODE
    let own = shown.childNodes[place]
    if (own?.nodeName !== node.nodeName) {
      const fresh = isText ? document.createTextNode("") : document.createElement(node.localName)
      own ? own.replaceWith(fresh) : shown.append(fresh)
      own = fresh
    }
    if (isText) {
      if (own.data !== node.data) own.data = node.data
      return
    }
    for (const { name } of [...own.attributes]) if (!node.hasAttribute(name)) own.removeAttribute(name)
    for (const { name, value } of node.attributes)
      if (ATTRIBUTES.has(name) && own.getAttribute(name) !== value) own.setAttribute(name, value)
    patch(own, node)
  })
  while (shown.childNodes.length > nodes.length) shown.lastChild.remove()
}

// Parsed in a separate document, where nothing runs or loads.
const write = (element, html) => {
  if (element.html === html) return
  element.html = html
  patch(element, new DOMParser().parseFromString(html, "text/html").body)
}

const childOf = (parent, place, tag, className) => {
  const child = parent.children[place] ?? parent.appendChild(document.createElement(tag))
  if (child.className !== className) child.className = className
  return child
}

const forgetAll = (element) => element.querySelectorAll(".live-plot").forEach(forget)

const show = (root, page) => {
  write(childOf(root, 0, "div", "standing"), page.strip)
  announce(childOf(root, 1, "p", "spoken"), root)
  write(childOf(root, 2, "div", "key-figures"), page.figures)
  const board = childOf(root, 3, "div", "board")
  while (board.children.length > page.cards.length) {
    forgetAll(board.lastChild)
    board.lastChild.remove()
  }
  page.cards.forEach(({ name, style, split, parts }, number) => {
    const card = childOf(board, number, "section", `card card-${name}${split ? " split" : ""}`)
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

// Screen readers announce the status when it changes, not every second.
const announce = (status, root) => {
  const strip = root.querySelector(".strip")
  status.setAttribute("role", "status")
  if (status.standing === strip.dataset.standing) return
  status.standing = strip.dataset.standing
  status.textContent = [...strip.querySelectorAll("strong, .reason")].map((text) => text.textContent).join(". ")
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
