//! Values become shell text here and nowhere else.
