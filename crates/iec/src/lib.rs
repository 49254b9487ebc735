//! The command: arguments, output, errors.
