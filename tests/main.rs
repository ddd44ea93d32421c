//! One test binary: each module is a kind of proof.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests are named as sentences, and fail by panicking")]

mod adaptive;
mod budgets;
mod by_hand;
mod cli;
mod convergence;
mod determinism;
mod docs;
mod empty_cells;
mod emulated;
mod errors;
mod flow_reference;
mod folders;
mod known_pairs;
mod langevin;
mod layering;
mod mistakes;
mod networks;
mod own_data;
mod parity;
mod recipes;
mod tapes;
mod tolerances;
mod verify;
mod warnings;
mod workbench;

/// The program's own: with the system's, threads that make small tensors wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
