// One chart as an element of Streamlit's; figure.js stands before this.
export default function ({ data, parentElement }) {
  const chart = plotIn(parentElement, data)
  // Streamlit also calls this for a run that new data overtook, while the chart stays on the page.
  return () => {
    if (!chart.isConnected) forget(chart)
  }
}
