// The world map. Its shapes are fetched once, its shades follow the numbers.
let loadingWorld

const world = (address) =>
  (loadingWorld ??= fetch(new URL(address, document.baseURI))
    .then((answer) => answer.json())
    .catch((error) => {
      loadingWorld = undefined
      throw error
    }))

const svg = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag)
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value))
  return element
}

const outline = (parent, { width, height, shapes, dots, unnamed }) => {
  const map = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "world" })
  const add = (name, element) => {
    element.append(svg("title", {}))
    map.append(element)
    return [name, element]
  }
  map.append(svg("path", { d: unnamed }))
  map.countries = new Map([
    ...Object.entries(shapes).map(([name, d]) => add(name, svg("path", { d }))),
    ...Object.entries(dots).map(([name, [cx, cy]]) => add(name, svg("circle", { cx, cy, r: 7 }))),
  ])
  parent.replaceChildren(map)
  return map
}

const mapIn = async (parent, { countries, label }, address) => {
  parent.wantedMap = countries
  const shapes = await world(address)
  if (parent.wantedMap !== countries) return
  const map = parent.querySelector(".world") ?? outline(parent, shapes)
  map.setAttribute("aria-label", label)
  map.countries.forEach((element, name) => {
    const [shade, words] = Object.hasOwn(countries, name) ? countries[name] : [0, name]
    const wanted = shade ? `shade-${shade}` : ""
    if (element.getAttribute("class") !== wanted) element.setAttribute("class", wanted)
    if (element.firstChild.textContent !== words) element.firstChild.textContent = words
  })
}
