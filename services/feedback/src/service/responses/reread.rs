//! Reading responses again after the taxonomy changed. What is read otherwise than before is a change like any other: it
//! leaves an event, so that every figure follows.

use rapport_data::Tx;
use rapport_kernel::{Fault, Reason, TenantId};

use super::{Responses, read, rewrite};
use crate::domain::{Response, ResponseId};
use crate::store;
use crate::store::text_reading::{self, Source};

/// How many responses one unit reads again: others write between two.
const UNIT: usize = 20;

impl Responses {
    /// Reads responses again.
    ///
    /// # Errors
    /// As the database's.
    pub async fn reread(&self, tenant: TenantId, ids: Vec<ResponseId>) -> Result<(), Fault> {
        for some in ids.chunks(UNIT) {
            let (some, words) = (some.to_vec(), self.words.clone());
            let unit = move |tx: Tx| {
                let (mut some, words) = (some.clone(), words.clone());
                async move {
                    // An erasure took a response before, or waits: no event of it follows its erasure.
                    tx.hold_erasures().await?;
                    // Whoever locks several does so in their order.
                    some.sort_unstable();
                    let reader = words.readers.of(&tx).await?;
                    for id in some {
                        let held = match store::response::lock(tx.conn(), tx.tenant(), id).await {
                            Ok(held) => held,
                            Err(fault) if fault.reason == Reason::ResourceNotFound => {
                                text_reading::delete(&tx, Source::Response, &[id.uuid()]).await?;
                                continue;
                            }
                            Err(fault) => return Err(fault),
                        };
                        if read(&reader, &held) == held.content.reading {
                            text_reading::mark(&tx, reader.version(), Source::Response, &[id.uuid()]).await?;
                            continue;
                        }
                        let changed = Response { revision: held.revision + 1, ..held.clone() };
                        rewrite(&tx, &words, &held, changed).await?;
                    }
                    Ok(())
                }
            };
            self.db.write(tenant, unit).await?;
        }
        Ok(())
    }
}
