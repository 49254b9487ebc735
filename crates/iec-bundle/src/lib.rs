//! Content: building, verifying and reading bundles.
