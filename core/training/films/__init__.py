"""Training of a longitudinal model on real films: `run` is the way in, `views` what is looked at, `folds` who judges whom."""
