//! One test binary: each module is a kind of proof.

#![allow(missing_docs, reason = "tests are named as sentences")]

mod cli;
mod convergence;
mod determinism;
mod flow_reference;
mod langevin;
mod layering;
mod recipes;
mod support;
