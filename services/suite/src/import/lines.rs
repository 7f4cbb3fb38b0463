//! The lines of a file, each with its number: told plainly where the file is not what it should be. Files are UTF-8, with a
//! mark at their beginning or without.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use rapport_kernel::Fault;

use super::{Wrong, refused};
use crate::cli::Format;

/// A line of NDJSON, or a record of CSV.
pub struct Line {
    /// The number of the line, of a record of several lines the first; from 1.
    pub number: u64,
    /// What it says, or what is wrong with it.
    pub content: Result<Content, Wrong>,
}

impl Line {
    /// The digest of this line after that of all before it (FNV-1a): whether they are still what they were.
    pub fn digest(&self, before: u64) -> u64 {
        let mix = |hash: u64, text: &str| {
            text.bytes().chain([0]).fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        };
        let start = before ^ 0xcbf2_9ce4_8422_2325;
        match &self.content {
            Ok(Content::Cells(cells)) => cells.iter().fold(start, |hash, cell| mix(hash, cell)),
            Ok(Content::Json(text)) => mix(start, text),
            // What cannot be read says nothing that could be compared; mended, it differs.
            Err(_) => mix(start, "\u{fffd}"),
        }
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The cells of a CSV record, in the order of the header.
    Cells(Vec<String>),
    /// The text of a line of JSON.
    Json(String),
}

/// The lines of an open file.
pub struct Lines {
    reader: Reader,
    header: Vec<String>,
    bytes: u64,
    /// The file, and how many bytes the mark at its beginning has.
    file: (PathBuf, u64),
    /// Whether a line before was UTF-8 beyond ASCII, and which.
    utf8: Option<u64>,
}

enum Reader {
    Csv(Box<csv::ByteRecordsIntoIter<BufReader<File>>>, u64),
    Json { lines: BufReader<File>, number: u64, read: u64 },
}

/// Opens a file.
///
/// # Errors
/// Where it cannot be read, is UTF-16, or has no header where it needs one.
pub fn open(path: &Path, format: Format) -> Result<Lines, Fault> {
    let cannot = |why: std::io::Error| refused(format!("{} cannot be read: {why}", path.display()));
    let mut file = File::open(path).map_err(cannot)?;
    let bytes = file.metadata().map_err(cannot)?.len();
    let mut start = Vec::new();
    file.by_ref().take(4_096).read_to_end(&mut start).map_err(cannot)?;
    if let Some(what) = wide(&start) {
        return Err(refused(format!("the file is {what}: save it as UTF-8, as by iconv -f UTF-16 -t UTF-8")));
    }
    let mark = if start.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 };
    file.seek(std::io::SeekFrom::Start(mark)).map_err(cannot)?;
    if format != Format::Csv {
        let reader = Reader::Json { lines: BufReader::new(file), number: 0, read: mark };
        return Ok(Lines { reader, header: Vec::new(), bytes, file: (path.to_owned(), mark), utf8: None });
    }
    let first = start[usize::try_from(mark).unwrap_or(0)..].split(|byte| *byte == b'\n').next().unwrap_or_default();
    // Lines end with \n; of \r\n the reader would count a line only when it comes to the next.
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(delimiter(first)).flexible(true).terminator(csv::Terminator::Any(b'\n'));
    let mut reader = reader.from_reader(BufReader::new(file));
    let header = reader.byte_headers().map_err(|why| refused(format!("the header cannot be read: {why}")))?;
    let header: Result<Vec<String>, _> = header.iter().map(|cell| String::from_utf8(cell.to_vec())).collect();
    let header = header.map_err(|_| refused(format!("the header (line 1) {}", NOT_UTF8)))?;
    let header: Vec<String> = header.into_iter().map(|name| name.trim().to_owned()).collect();
    if header.iter().all(String::is_empty) {
        return Err(refused("the file has no header: its first line must name the columns"));
    }
    let reader = Reader::Csv(Box::new(reader.into_byte_records()), 0);
    Ok(Lines { reader, header, bytes, file: (path.to_owned(), mark), utf8: None })
}

const NOT_UTF8: &str = "is not UTF-8; it looks like Latin-1 (ISO 8859-1 or Windows-1252): convert the file, as by \
                        iconv -f WINDOWS-1252 -t UTF-8";

/// Which encoding of two bytes a character a file is in, if in one.
fn wide(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(&[0xff, 0xfe]) {
        return Some("UTF-16 (little-endian)");
    }
    if start.starts_with(&[0xfe, 0xff]) {
        return Some("UTF-16 (big-endian)");
    }
    let zeros = |at: usize| start.iter().skip(at).step_by(2).filter(|byte| **byte == 0).count();
    let half = start.len() / 4;
    match (zeros(0), zeros(1)) {
        (_, odd) if start.len() >= 4 && odd > half => Some("UTF-16 (little-endian, without a mark)"),
        (even, _) if start.len() >= 4 && even > half => Some("UTF-16 (big-endian, without a mark)"),
        _ => None,
    }
}

/// What stands between the cells: of comma, semicolon and tabulator what the header has most of, outside quotes.
fn delimiter(header: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in header {
        quoted ^= *byte == b'"';
        for (delimiter, count) in &mut counts {
            *count += usize::from(!quoted && byte == delimiter);
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts.into_iter().find(|(_, count)| *count == most).map_or(b',', |(delimiter, _)| delimiter)
}

impl Lines {
    /// The names of the columns; none where the format has none.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// How many bytes there are.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of them were read.
    pub const fn read(&self) -> u64 {
        match &self.reader {
            Reader::Csv(_, read) | Reader::Json { read, .. } => *read,
        }
    }

    fn text(&mut self, number: u64, bytes: Vec<u8>) -> Result<String, Wrong> {
        match String::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => {
                Err(Wrong::one("line", "holds a NUL character: take it out, no text may hold one"))
            }
            Ok(text) => {
                if !text.is_ascii() {
                    self.utf8.get_or_insert(number);
                }
                Ok(text)
            }
            Err(_) => Err(Wrong::one(
                "line",
                match self.utf8 {
                    Some(before) => format!("{NOT_UTF8}. The file mixes encodings: line {before} is UTF-8"),
                    None => NOT_UTF8.to_owned(),
                },
            )),
        }
    }

    /// Whether the last record, which begins at `start`, ends within quotes: then it is all that the file had left, and looks
    /// like one that is sound. Quotes come in pairs, doubled ones too.
    fn is_open(&self, start: u64) -> bool {
        let (path, mark) = &self.file;
        let Ok(mut file) = File::open(path) else { return false };
        if file.seek(std::io::SeekFrom::Start(mark + start)).is_err() {
            return false;
        }
        let quotes = BufReader::new(file).bytes().map_while(Result::ok).filter(|byte| *byte == b'"').count();
        quotes % 2 == 1
    }

    fn cells(&mut self, number: u64, record: &csv::ByteRecord) -> Result<Content, Wrong> {
        if record.len() != self.header.len() {
            let (found, wanted) = (record.len(), self.header.len());
            let mut text = format!("has {found} cells, the header has {wanted}: quote cells that hold the delimiter");
            if let Some(last) = last_line(number, record) {
                text = format!("{text}; {}", unclosed(number, last));
            }
            return Err(Wrong::one("line", text));
        }
        let last = record.len() - 1;
        let whole = |(at, cell): (usize, &[u8])| if at == last { without_return(cell).to_vec() } else { cell.to_vec() };
        let cells: Vec<Vec<u8>> = record.iter().enumerate().map(whole).collect();
        let cells = cells.into_iter().map(|cell| self.text(number, cell)).collect::<Result<_, _>>()?;
        Ok(Content::Cells(cells))
    }
}

/// The last line of a record of several; `None` where it has but one.
fn last_line(number: u64, record: &csv::ByteRecord) -> Option<u64> {
    let breaks = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
    let ends = record.iter().next_back().is_some_and(|cell| cell.ends_with(b"\n"));
    Some(number + breaks - u64::from(ends)).filter(|_| breaks > 0)
}

fn unclosed(number: u64, last: u64) -> String {
    format!("a quote that is opened and not closed makes lines {number} to {last} one: none of them is imported")
}

/// The last cell of a line that ended with \r\n.
fn without_return(cell: &[u8]) -> &[u8] {
    cell.strip_suffix(b"\r").unwrap_or(cell)
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        match &mut self.reader {
            Reader::Csv(records, read) => {
                let is_blank = |record: &csv::ByteRecord| record.len() == 1 && without_return(&record[0]).is_empty();
                let record = records.find(|record| !record.as_ref().is_ok_and(is_blank))?;
                let (number, content) = match record {
                    Ok(record) => {
                        let (start, number) = record.position().map_or((*read, 0), |at| (at.byte(), at.line()));
                        *read = start;
                        let is_last = records.reader().position().byte() + self.file.1 >= self.bytes;
                        let content = match last_line(number, &record) {
                            Some(last) if is_last && self.is_open(start) => {
                                Err(Wrong::one("line", unclosed(number, last)))
                            }
                            _ => self.cells(number, &record),
                        };
                        (number, content)
                    }
                    Err(why) => {
                        let number = why.position().map_or(0, csv::Position::line);
                        (number, Err(Wrong::one("line", "is no CSV: look for a quote that is not closed")))
                    }
                };
                Some(Line { number, content })
            }
            Reader::Json { lines, number, read } => loop {
                let mut bytes = Vec::new();
                // A file that cannot be read on ends here; what was read is acknowledged, and a second run goes on.
                let count = lines.read_until(b'\n', &mut bytes).unwrap_or(0);
                if count == 0 {
                    return None;
                }
                *read += count as u64;
                *number += 1;
                if bytes.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let number = *number;
                let content = self.text(number, bytes).map(|text| Content::Json(text.trim().to_owned()));
                return Some(Line { number, content });
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbered = (u64, Result<Content, Wrong>);

    fn read(bytes: &[u8], format: Format) -> Result<Vec<Numbered>, Fault> {
        let folder = std::env::temp_dir().join(format!("rapport-lines-{}", uuid::Uuid::now_v7()));
        std::fs::write(&folder, bytes).expect("a temporary file");
        let lines = open(&folder, format).map(|lines| lines.map(|line| (line.number, line.content)).collect());
        std::fs::remove_file(&folder).expect("it is there");
        lines
    }

    fn cells(cells: &[&str]) -> Result<Content, Wrong> {
        Ok(Content::Cells(cells.iter().map(|cell| (*cell).to_owned()).collect()))
    }

    #[test]
    fn csv_is_read_with_its_mark_its_delimiter_its_quotes_and_its_line_numbers() {
        let text = "\u{feff}a;b\r\n1;\"x;\ny\"\r\n2;é\r\n\r\n3\r\n";
        let found = read(text.as_bytes(), Format::Csv).expect("it opens");
        assert_eq!(found[0], (2, cells(&["1", "x;\ny"])));
        assert_eq!(found[1], (4, cells(&["2", "é"])));
        assert!(found[2].0 == 6 && found[2].1.is_err());
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told_with_the_lines_it_swallows() {
        for (text, number) in
            [("\u{feff}a,b\n1,\"x\n2,y\n3,z\n", 2), ("a,b\n1,x\n2,\"y\"\"\n3,z\n4,w", 3), ("a,b\n\"1,x\n2,y\n3,z\n", 2)]
        {
            let found = read(text.as_bytes(), Format::Csv).expect("it opens");
            let (at, Err(wrong)) = found.last().expect("a line") else { panic!("{text}") };
            let last = text.lines().count();
            assert_eq!(*at, number);
            assert!(wrong.0[0].1.contains(&format!("lines {number} to {last} one")), "{text}: {}", wrong.0[0].1);
        }
        let sound = read(b"a,b\n1,\"x\ny\"\"\n\"\n", Format::Csv).expect("it opens");
        assert_eq!(sound, [(2, cells(&["1", "x\ny\"\n"]))]);
    }

    #[test]
    fn a_line_that_changed_shows_in_the_digest() {
        let digest = |cells: &[&[&str]]| {
            let line = |of: &&[&str]| Line { number: 1, content: self::cells(of) };
            cells.iter().map(line).fold(0, |digest, line| line.digest(digest))
        };
        assert_eq!(digest(&[&["a", "b"], &["c"]]), digest(&[&["a", "b"], &["c"]]));
        for other in [&[&["a", "b"][..], &["d"]][..], &[&["ab", ""], &["c"]], &[&["c"], &["a", "b"]], &[&["a", "b"]]] {
            assert_ne!(digest(&[&["a", "b"], &["c"]]), digest(other));
        }
    }

    #[test]
    fn other_encodings_are_named() {
        let utf16: Vec<u8> = "source,external_id\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [[&[0xff, 0xfe], utf16.as_slice()].concat(), utf16] {
            assert!(read(&bytes, Format::Csv).expect_err("it is refused").message.contains("UTF-16"));
        }
        let found = read(b"{\"a\":1}\n\n{\"b\":\"M\xfcller\"}\n", Format::Ndjson).expect("it opens");
        assert_eq!((found[0].0, found[1].0), (1, 3));
        let wrong = found[1].1.clone().expect_err("Latin-1");
        assert!(wrong.0[0].1.contains("Latin-1") && !wrong.0[0].1.contains("mixes"));
        let found = read(
            "{\"a\":\"ü\"}\n".as_bytes().iter().chain(b"\xfc\n").copied().collect::<Vec<_>>().as_slice(),
            Format::Ndjson,
        );
        assert!(found.expect("it opens")[1].1.clone().expect_err("Latin-1").0[0].1.contains("line 1 is UTF-8"));
    }
}
