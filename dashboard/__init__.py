"""What people see: Streamlit pages, Plotly figures, the image viewer, HTTP routes. Reaches data only through `core`."""
