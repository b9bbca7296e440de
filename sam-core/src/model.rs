//! Networks as plain data: layers, shapes, parameter layout.
