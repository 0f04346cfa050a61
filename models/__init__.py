"""What is predicted: preprocessing, encoder, sequence model, training, calibration, metrics. Sees arrays only."""
