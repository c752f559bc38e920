"""Models of vendors, one module each; see syncd/sandbox/vendor.py."""
