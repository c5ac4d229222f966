// One chart as an element of Streamlit's; figure.js stands before this.
export default function ({ data, parentElement, setStateValue }) {
  const chart = plotIn(parentElement, data)
  chart.classList.toggle("pickable", data.pickable)
  // A bar or cell that can be picked has in its customdata what it stands for.
  chart.pick = data.pickable
    ? (points) => {
        const picked = points.map(({ customdata }) => customdata).find((about) => typeof about === "string")
        // With the time, so that picking the same again is news. A trigger value may get lost under frequent refreshes.
        if (picked) setStateValue("picked", { what: picked, at: Date.now() })
      }
    : undefined
  // Streamlit also calls this for a run that new data overtook, while the chart stays on the page.
  return () => {
    if (!chart.isConnected) forget(chart)
  }
}
