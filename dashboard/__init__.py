"""What people see: Streamlit pages, Plotly figures, the image viewer and the HTTP routes. Reaches data only through `core`."""
