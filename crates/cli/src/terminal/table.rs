//! Rows of text in columns.

use super::clean;

/// Columns two spaces apart.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| {
        clean(row.get(column).map_or("", String::as_str)).replace('\n', " ")
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let line: String = (0..columns)
                .map(|column| format!("{:<width$}  ", cell(row, column), width = widths[column]))
                .collect();
            format!("{}\n", line.trim_end())
        })
        .collect()
}
