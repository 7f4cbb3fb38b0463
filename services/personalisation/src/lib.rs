//! rapport-personalisation
