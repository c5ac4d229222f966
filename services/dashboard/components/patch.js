// Writes HTML into an element by patching its existing nodes, so nothing flickers, scrolls or loses focus.

// Python has escaped the page's HTML. As a second defence, only these elements and attributes are taken over.
const TAGS = new Set("b br code dd div dl dt h1 h2 h3 i p section small span strong table tbody td th thead time tr".split(" "))
const ATTRIBUTES = new Set("aria-hidden aria-label class colspan data-age-s data-level data-standing data-title datetime role scope style tabindex title".split(" "))

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
