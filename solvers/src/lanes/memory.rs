//! Memory for vectors: aligned, and used again.

use std::cell::RefCell;

/// Numbers that start on a cache line, so that no vector straddles two.
#[derive(Debug)]
pub struct Aligned {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let values = vec![0.0; len + 15];
        let start = values.as_ptr().align_offset(64).min(15);
        Self { values, start, len }
    }
}

thread_local! {
    static FREE: RefCell<Vec<Aligned>> = const { RefCell::new(Vec::new()) };
}

/// [`Aligned`] numbers for a while: they hold anything at first, and go back to a list of their thread, for the next of the same length.
#[derive(Debug)]
pub struct Scratch(Aligned);

impl Scratch {
    /// `len` numbers.
    pub fn new(len: usize) -> Self {
        let found = FREE.with_borrow_mut(|free| {
            let at = free.iter().rposition(|a| a.len == len)?;
            Some(free.swap_remove(at))
        });
        Self(found.unwrap_or_else(|| Aligned::zeros(len)))
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut out = Self::new(len);
        out.fill(0.0);
        out
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        /// A forward and backward pass holds fewer.
        const MOST: usize = 64;
        let own = std::mem::replace(&mut self.0, Aligned { values: Vec::new(), start: 0, len: 0 });
        FREE.with_borrow_mut(|free| {
            if free.len() == MOST {
                free.remove(0);
            }
            free.push(own);
        });
    }
}

impl std::ops::Deref for Scratch {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl std::ops::DerefMut for Scratch {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl FromIterator<f32> for Aligned {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        let values: Vec<f32> = values.into_iter().collect();
        let mut out = Self::zeros(values.len());
        out.copy_from_slice(&values);
        out
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }
}

impl std::ops::DerefMut for Aligned {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
    }
}
