// One chart as a Streamlit element; figure.js and leading.js precede this file.
export default function ({ data, parentElement, setStateValue }) {
  const chart = plotIn(parentElement, data)
  chart.classList.toggle("pickable", data.pickable)
  // The customdata of a bar or cell that can be picked names what it stands for.
  chart.pick = data.pickable
    ? (points) => {
        const picked = points.map(({ customdata }) => customdata).find((about) => typeof about === "string")
        // The time makes picking the same thing again a change. Trigger values may get lost under frequent refreshes.
        if (!picked) return
        setStateValue("picked", { what: picked, at: Date.now() })
        leadTo(data.leads_to)
      }
    : undefined
  // Streamlit also calls this when newer data replaces a run, while the chart stays on the page.
  return () => {
    if (!chart.isConnected) forget(chart)
  }
}
