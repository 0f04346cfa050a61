"""The PACS that priors are fetched from, by DICOMweb or on the DICOM network.

`opening` says which way the settings name; either is a `remote.Pacs`.
"""
