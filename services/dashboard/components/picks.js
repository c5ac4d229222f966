// Shows the dashboard's HTML and reports which of its buttons ([data-pick]) was pressed. Streamlit's own HTML element
// cannot report anything. leading.js precedes this file.
export default function ({ data, parentElement, setStateValue }) {
  let box = parentElement.querySelector(".picks")
  if (!box) {
    box = document.createElement("div")
    box.className = "picks stHtml"
    parentElement.append(box)
  }
  if (box.shown !== data.html) {
    const focused = box.contains(document.activeElement) ? document.activeElement.dataset.place : undefined
    box.innerHTML = box.shown = data.html
    // Keep the keyboard focus while numbers change.
    if (focused) [...box.querySelectorAll("[data-place]")].find(({ dataset }) => dataset.place === focused)?.focus()
  }
  box.onclick = ({ target }) => {
    const button = target.closest("[data-pick]")
    if (!button) return
    setStateValue("picked", { what: button.dataset.pick, at: Date.now() })
    leadTo(data.leads_to)
  }
  // A requested file comes with the data until its arrival is reported.
  if (!data.file || box.file === data.file.token) return
  box.file = data.file.token
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([data.file.text], { type: data.file.type }))
  link.download = data.file.name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60000)
  setStateValue("got", data.file.token)
}
