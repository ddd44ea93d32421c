//! One test binary: each module is a kind of proof.

#![allow(missing_docs, reason = "tests are named as sentences")]

mod convergence;
mod flow_reference;
mod langevin;
mod support;
