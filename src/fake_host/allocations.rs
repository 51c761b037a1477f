//! How often the filter allocates, counted apart from what the test and its host do.
#![expect(unsafe_code, reason = "an allocator hands out raw memory; it only counts, and leaves that to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static MADE: Cell<u64> = const { Cell::new(0) };
    static COUNTS: Cell<bool> = const { Cell::new(false) };
}

/// By the filter on this thread, so far. What the host hands over is not the filter's.
pub fn made() -> u64 {
    MADE.get()
}

/// Counts, or doesn't, until it is dropped.
pub(super) struct Phase {
    before: bool,
}

impl Phase {
    pub(super) fn of_the_filter() -> Self {
        Self { before: COUNTS.replace(true) }
    }

    pub(super) fn of_the_host() -> Self {
        Self { before: COUNTS.replace(false) }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        COUNTS.set(self.before);
    }
}

fn count() {
    // Threads end, and their memory is given back, after their variables are gone.
    let _ = COUNTS.try_with(|counts| {
        if counts.get() {
            MADE.set(MADE.get() + 1);
        }
    });
}

// SAFETY: all of it is the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}
