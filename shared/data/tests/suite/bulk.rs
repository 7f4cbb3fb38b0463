//! Rows in bulk: every kind of value, in any number of rows, comes back as it was given, on both engines.

use rapport_data::{Bulk, Column, Engine, Stored as _, Tx};
use rapport_kernel::TenantId;
use rstest::rstest;
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

use crate::ground::{Ground, sql};

const ROWS: Bulk = Bulk {
    table: "bulky",
    columns: &["id", "number", "maybe_number", "small", "real", "text", "maybe_text", "bytes"],
    suffix: "ON CONFLICT (id) DO NOTHING RETURNING id",
};

type Row = (Uuid, i64, Option<i64>, i16, f64, String, Option<String>, Vec<u8>);

fn row(at: usize) -> Row {
    let number = i64::try_from(at).expect("few");
    let small = i16::try_from(at % 30_000).expect("below");
    let (maybe, text) = ((!at.is_multiple_of(3)).then_some(-number), format!("'{at}' \u{1f600} \" ; --"));
    (
        Uuid::new_v4(),
        i64::MAX - number,
        maybe,
        small,
        0.1 * at as f64,
        text.clone(),
        maybe.map(|_| text),
        vec![at as u8; at % 7],
    )
}

fn columns(rows: &[Row]) -> Vec<Column> {
    vec![
        Column::Ids(rows.iter().map(|row| row.0).collect()),
        Column::Numbers(rows.iter().map(|row| row.1).collect()),
        Column::MaybeNumbers(rows.iter().map(|row| row.2).collect()),
        Column::Smalls(rows.iter().map(|row| row.3).collect()),
        Column::Reals(rows.iter().map(|row| row.4).collect()),
        Column::Texts(rows.iter().map(|row| row.5.clone()).collect()),
        Column::MaybeTexts(rows.iter().map(|row| row.6.clone()).collect()),
        Column::Bytes(rows.iter().map(|row| row.7.clone()).collect()),
    ]
}

#[rstest]
#[case(Engine::Sqlite)]
#[case(Engine::Postgres)]
#[tokio::test]
async fn rows_come_back_as_they_were_given(#[case] engine: Engine) {
    let ground = Ground::new(engine);
    let database = ground.open().await;
    let unit = move |tx: Tx| async move {
        let (id, bytes) = if tx.engine() == Engine::Postgres { ("UUID", "BYTEA") } else { ("BLOB", "BLOB") };
        let table = format!(
            "CREATE TEMP TABLE bulky (id {id} PRIMARY KEY, number BIGINT, maybe_number BIGINT, small SMALLINT, \
             real DOUBLE PRECISION, text TEXT, maybe_text TEXT, bytes {bytes})"
        );
        tx.conn().execute_unprepared(&table).await.stored()?;
        for count in [0, 1, 2, 3, 255, 256, 257, 1_000] {
            let rows: Vec<Row> = (0..count).map(row).collect();
            let returned = ROWS.insert_returning(tx.conn(), columns(&rows)).await?;
            assert_eq!(returned, rows.iter().map(|row| row.0).collect::<Vec<_>>(), "{count} rows");
            // What is there already is not returned again.
            assert_eq!(ROWS.insert_returning(tx.conn(), columns(&rows)).await?, Vec::<Uuid>::new());
            let query =
                "SELECT id, number, maybe_number, small, real, text, maybe_text, bytes FROM bulky ORDER BY number DESC";
            let mut held = Vec::new();
            for row in tx.conn().query_all_raw(sql(&tx, query, [])).await.stored()? {
                let one: Row = (
                    row.try_get_by_index(0).stored()?,
                    row.try_get_by_index(1).stored()?,
                    row.try_get_by_index(2).stored()?,
                    row.try_get_by_index(3).stored()?,
                    row.try_get_by_index(4).stored()?,
                    row.try_get_by_index(5).stored()?,
                    row.try_get_by_index(6).stored()?,
                    row.try_get_by_index(7).stored()?,
                );
                held.push(one);
            }
            assert!(held == rows, "{count} rows come back otherwise");
            tx.conn().execute_unprepared("DELETE FROM bulky").await.stored()?;
        }
        let uneven = vec![Column::Ids(vec![Uuid::nil()])];
        assert!(ROWS.insert(tx.conn(), uneven).await.is_err(), "columns that do not fit the table are refused");
        Ok(())
    };
    database.write(TenantId::new(), unit).await.expect("a unit");
}
