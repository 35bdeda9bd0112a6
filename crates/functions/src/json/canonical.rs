//! The canonical text of a value: no space, as few escapes as possible, and, for the type json,
//! the names of an object in order and each once.

use super::numbers;
use super::scan::{Fault, Open, Scalar, Scan, Scanner};
use super::strings;
use crate::work::Work;

/// What happens to the members of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    AsWritten,
    /// By name; of several members of one name, the last stays.
    Sorted,
}

/// A member of an object in the output.
#[derive(Debug, Clone, Copy)]
struct Member {
    from: u32,
    /// The end of its name, with quotes.
    name_to: u32,
    to: u32,
}

/// An open object.
#[derive(Debug, Clone, Copy)]
struct Object {
    /// The place of its first member in the output.
    from: usize,
    /// The place of its first member in the list of members.
    members: usize,
    in_order: bool,
}

/// Writes values. It keeps its buffers from one value to the next.
#[derive(Debug, Default)]
pub(super) struct Writer {
    members: Vec<Member>,
    objects: Vec<Object>,
    scratch: String,
}

impl Writer {
    /// Appends the canonical text of the value at the scanner's place, and moves past it. After a
    /// fault, `out` may have a part of it.
    ///
    /// The caller counts the bytes of the value's text; more are counted here.
    pub(super) fn write(
        &mut self,
        scanner: &mut Scanner<'_>,
        members: Members,
        out: &mut String,
        work: &Work,
    ) -> Scan<()> {
        self.members.clear();
        self.objects.clear();
        let mut copy = Copy {
            from: scanner.at,
            out,
        };
        let sorted = members == Members::Sorted;
        let mut open = Open::default();
        loop {
            match scanner.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    let object = bracket == b'{';
                    let close = if object { b'}' } else { b']' };
                    scanner.at += 1;
                    copy.space(scanner);
                    if !scanner.eat(close) {
                        open.push(object)?;
                        if object {
                            self.open(&copy, scanner);
                            self.name(&mut copy, scanner, sorted)?;
                        }
                        continue;
                    }
                }
                _ => self.scalar(&mut copy, scanner, work)?,
            }
            loop {
                let Some(object) = open.innermost() else {
                    copy.flush(scanner.at, scanner);
                    return Ok(());
                };
                work.step()?;
                if object && sorted {
                    self.member_ends(&copy, scanner)?;
                }
                copy.space(scanner);
                if scanner.eat(b',') {
                    copy.space(scanner);
                    if object {
                        self.name(&mut copy, scanner, sorted)?;
                    }
                    break;
                }
                let close = if object { b'}' } else { b']' };
                if scanner.peek() != Some(close) {
                    return Err(Fault::Malformed);
                }
                if object {
                    self.close(&mut copy, scanner, sorted, work)?;
                }
                scanner.at += 1;
                open.pop();
            }
        }
    }

    fn scalar(&mut self, copy: &mut Copy<'_>, scanner: &mut Scanner<'_>, work: &Work) -> Scan<()> {
        let from = scanner.at;
        match scanner.scalar()? {
            Scalar::String(raw) if raw.escaped => {
                copy.flush(from, scanner);
                strings::rewrite(raw, copy.out);
                copy.from = scanner.at;
            }
            Scalar::Number(number) => {
                self.scratch.clear();
                if let Some(text) = numbers::rewrite(number, &mut self.scratch) {
                    work.builds(text.len().saturating_sub(number.text.len()))?;
                    copy.flush(from, scanner);
                    copy.out.push_str(text);
                    copy.from = scanner.at;
                }
            }
            _ => (),
        }
        Ok(())
    }

    /// Notes an object, whose first member starts here.
    fn open(&mut self, copy: &Copy<'_>, scanner: &Scanner<'_>) {
        self.objects.push(Object {
            from: copy.written(scanner.at),
            members: self.members.len(),
            in_order: true,
        });
    }

    /// Moves past a member's name and its colon.
    fn name(&mut self, copy: &mut Copy<'_>, scanner: &mut Scanner<'_>, sorted: bool) -> Scan<()> {
        let from = scanner.at;
        let starts = copy.written(from);
        let raw = scanner.string()?;
        if raw.escaped {
            copy.flush(from, scanner);
            strings::rewrite(raw, copy.out);
            copy.from = scanner.at;
        }
        if sorted {
            let name_to = place(copy.written(scanner.at))?;
            self.members.push(Member {
                from: place(starts)?,
                name_to,
                to: name_to,
            });
            self.check_order(copy, scanner);
        }
        copy.space(scanner);
        if !scanner.eat(b':') {
            return Err(Fault::Malformed);
        }
        copy.space(scanner);
        Ok(())
    }

    /// Notes whether the newest name comes after the one before it.
    fn check_order(&mut self, copy: &Copy<'_>, scanner: &Scanner<'_>) {
        let Some(object) = self.objects.last_mut() else {
            return;
        };
        let members = self.members.get(object.members..).unwrap_or_default();
        if let [.., before, newest] = members
            && object.in_order
        {
            let name = |member: &Member| {
                let (from, to) = (member.from as usize + 1, member.name_to as usize - 1);
                copy.slice(from, to, scanner)
            };
            object.in_order = strings::order_written(name(before), name(newest)).is_lt();
        }
    }

    fn member_ends(&mut self, copy: &Copy<'_>, scanner: &Scanner<'_>) -> Scan<()> {
        let to = place(copy.written(scanner.at))?;
        let from = self.objects.last().map_or(0, |object| object.members);
        if let Some(member) = self.members.get_mut(from..).and_then(<[_]>::last_mut) {
            member.to = to;
        }
        Ok(())
    }

    /// Ends an object, and puts its members in order.
    fn close(
        &mut self,
        copy: &mut Copy<'_>,
        scanner: &Scanner<'_>,
        sorted: bool,
        work: &Work,
    ) -> Scan<()> {
        let Some(object) = self.objects.pop() else {
            return Ok(());
        };
        if !sorted || object.in_order {
            self.members.truncate(object.members);
            return Ok(());
        }
        work.step()?;
        copy.flush(scanner.at, scanner);
        let out = &mut *copy.out;
        let text = |from: u32, to: u32| out.get(from as usize..to as usize).unwrap_or_default();
        let members = self.members.get_mut(object.members..).unwrap_or_default();
        let name = |member: &Member| text(member.from + 1, member.name_to - 1);
        // Stable: of members of one name, the last comes last.
        members.sort_by(|a, b| strings::order_written(name(a), name(b)));
        self.scratch.clear();
        for (index, member) in members.iter().enumerate() {
            let next = members.get(index + 1);
            if next.is_some_and(|next| name(next) == name(member)) {
                continue;
            }
            if !self.scratch.is_empty() {
                self.scratch.push(',');
            }
            self.scratch.push_str(text(member.from, member.to));
        }
        out.truncate(object.from);
        out.push_str(&self.scratch);
        self.members.truncate(object.members);
        Ok(())
    }
}

/// A place in the output. No value is as large as 4 GiB.
fn place(at: usize) -> Scan<u32> {
    u32::try_from(at).map_err(|_| Fault::TooDeep)
}

/// Output that is the same as the text is copied in one piece, when something differs or ends.
#[derive(Debug)]
struct Copy<'o> {
    /// From here on, the text is not copied yet.
    from: usize,
    out: &'o mut String,
}

impl Copy<'_> {
    fn flush(&mut self, to: usize, scanner: &Scanner<'_>) {
        self.out.push_str(scanner.slice(self.from, to));
        self.from = to;
    }

    /// Leaves space out.
    fn space(&mut self, scanner: &mut Scanner<'_>) {
        if matches!(scanner.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.flush(scanner.at, scanner);
            scanner.space();
            self.from = scanner.at;
        }
    }

    /// The place in the output of a place in the text.
    fn written(&self, at: usize) -> usize {
        self.out.len() + at.saturating_sub(self.from)
    }

    /// A piece of the output, which may not be copied yet.
    fn slice<'t>(&'t self, from: usize, to: usize, scanner: &Scanner<'t>) -> &'t str {
        match from.checked_sub(self.out.len()) {
            None => self.out.get(from..to).unwrap_or_default(),
            Some(after) => scanner.slice(self.from + after, self.from + after + (to - from)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn canonical(text: &str, members: Members) -> Option<String> {
        let work = Work::new("test", true);
        let mut scanner = Scanner::new(text);
        scanner.space();
        let mut out = String::from("before ");
        Writer::default()
            .write(&mut scanner, members, &mut out, &work)
            .ok()?;
        scanner.end().ok()?;
        Some(out.strip_prefix("before ").unwrap().to_owned())
    }

    fn sorted(text: &str) -> String {
        canonical(text, Members::Sorted).unwrap()
    }

    #[test]
    fn space_and_needless_escapes_go() {
        assert_eq!(
            sorted(" [ 1 , \"a b\" , null , [ ] , { } ] "),
            "[1,\"a b\",null,[],{}]"
        );
        assert_eq!(
            sorted(r#"{ "\u0061" : "\/\u00e9" , "b" : 1.50 }"#),
            r#"{"a":"/é","b":1.5}"#
        );
        assert_eq!(sorted("  true "), "true");
        assert_eq!(sorted("[1e2,-0,  1E400]"), "[100.0,0,1E400]");
    }

    #[test]
    fn members_are_sorted_at_all_levels() {
        assert_eq!(
            sorted(r#"{"b": {"z": 1, "y": {"d":1,"c": 2.0}}, "a": [{"q":1,"p":2}], "c":0}"#),
            r#"{"a":[{"p":2,"q":1}],"b":{"y":{"c":2.0,"d":1},"z":1},"c":0}"#
        );
        assert_eq!(sorted(r#"{"a":1,"b":2}"#), r#"{"a":1,"b":2}"#);
        assert_eq!(sorted(r#"{"é":1,"z":2,"\n":3}"#), r#"{"\n":3,"z":2,"é":1}"#);
    }

    #[test]
    fn the_last_of_equal_names_stays() {
        assert_eq!(sorted(r#"{"a":1,"a":2}"#), r#"{"a":2}"#);
        assert_eq!(
            sorted(r#"{"b":0,"a":1,"\u0061":[2],"b":3}"#),
            r#"{"a":[2],"b":3}"#
        );
        assert_eq!(
            sorted(r#"{"a":{"a":1,"a":2},"a":{"b":1,"a":1}}"#),
            r#"{"a":{"a":1,"b":1}}"#
        );
    }

    #[test]
    fn the_order_stays_if_it_shall() {
        let text = r#"{ "b" : 1 , "a" : 2 , "a" : 3 }"#;
        let written = canonical(text, Members::AsWritten).unwrap();
        assert_eq!(written, r#"{"b":1,"a":2,"a":3}"#);
    }

    #[test]
    fn a_canonical_text_is_its_own() {
        for text in [
            r#"{"a":[1,2.5,{"b":null,"c":"x\ny"}],"d":{}}"#,
            "\"😀\"",
            "[[],[[]],{\"\":\"\"}]",
            "-1.0E-10",
        ] {
            assert_eq!(sorted(text), text);
        }
    }

    #[test]
    fn a_text_that_is_not_json_has_none() {
        for text in [
            "",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{1:2}",
            "[1] 2",
            "[1}",
            "\"\\q\"",
        ] {
            assert_eq!(canonical(text, Members::Sorted), None, "{text}");
        }
        assert_eq!(canonical(&"[".repeat(5000), Members::Sorted), None);
    }

    #[test]
    fn deep_objects_are_sorted() {
        let mut text = "{\"b\":1,\"a\":".repeat(300);
        text.push('0');
        text.push_str(&"}".repeat(300));
        let expected = "{\"a\":".repeat(300) + "0" + &",\"b\":1}".repeat(300);
        assert_eq!(sorted(&text), expected);
    }
}
