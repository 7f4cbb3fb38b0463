//! The calls of `google.longrunning.Operations`, as a client meets them: within the stack, on either engine.

mod calls;
mod ground;
