// The status strip as a Streamlit element; patch.js and standing.js precede this file.
export default function ({ data, parentElement }) {
  let root = parentElement.querySelector(".strip-page")
  if (!root) {
    root = document.createElement("div")
    root.className = "strip-page stHtml"
    parentElement.append(root)
  }
  showStanding(root, data)
}
