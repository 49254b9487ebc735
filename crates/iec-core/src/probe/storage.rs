//! Reads what the probe says about file systems and swap.

use super::answer::Lines;
use crate::facts::{Place, Storage, Swap, SwapDevice};

/// A line of `/proc/self/mountinfo`.
#[derive(Clone)]
struct Mount {
    point: String,
    options: Vec<String>,
    shared: bool,
    file_system: String,
    source: String,
}

impl Mount {
    fn read(text: &str) -> Option<Self> {
        let (mount, file_system) = text.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(4);
        let point = unescape(fields.next()?);
        let mut options: Vec<String> = fields.next()?.split(',').map(str::to_owned).collect();
        let shared = fields.any(|field| field.starts_with("shared:"));
        let mut fields = file_system.split(' ');
        let kind = fields.next()?.to_owned();
        let source = unescape(fields.next()?);
        options.extend(
            fields
                .next()
                .unwrap_or_default()
                .split(',')
                .filter(|option| *option == "ro")
                .map(str::to_owned),
        );
        Some(Self {
            point,
            options,
            shared,
            file_system: kind,
            source,
        })
    }

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|known| known == option)
    }

    fn holds(&self, path: &str) -> bool {
        let rest = if self.point == "/" {
            Some(path)
        } else {
            path.strip_prefix(self.point.as_str())
        };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Undoes the kernel's `\040` in paths.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = tail
            .get(..3)
            .filter(|digits| byte == b'\\' && digits.iter().all(|digit| (b'0'..b'8').contains(digit)));
        if let Some(digits) = octal {
            bytes.push(digits.iter().fold(0_u8, |value, digit| {
                value.wrapping_mul(8).wrapping_add(digit - b'0')
            }));
            rest = &tail[3..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether `/` is a shared mount; leaves the mounts for [`storage`].
pub(super) fn root_is_shared(lines: &mut Lines) -> bool {
    let mounts = lines.peek("mount");
    mounts
        .iter()
        .filter_map(|text| Mount::read(text))
        .rfind(|mount| mount.point == "/")
        .is_some_and(|mount| mount.shared)
}

pub(super) fn storage(lines: &mut Lines) -> Storage {
    let pair = |text: &str| {
        text.split_once(' ')
            .map(|(path, existing)| (path.to_owned(), existing.to_owned()))
    };
    let places = lines.each("place", pair);
    let nowhere = lines.each("nowhere", pair).into_iter().collect();
    let resolved = lines.all("resolved");
    let spaces = lines.each("space", |text| {
        let fields: Vec<u64> = text
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        <[u64; 5]>::try_from(fields).ok()
    });
    let mounts = lines.each("mount", Mount::read);
    if resolved.len() != places.len() || spaces.len() != places.len() {
        lines.complain("space", "", "does not cover every place");
    }
    let mut storage = Storage {
        nowhere,
        ..Storage::default()
    };
    for (index, (path, existing)) in places.into_iter().enumerate() {
        let real = resolved.get(index).unwrap_or(&existing);
        // Of two mounts on one path the later one hides the other.
        let mount = mounts
            .iter()
            .filter(|mount| mount.holds(real))
            .max_by_key(|mount| mount.point.len());
        let [blocks, free, size, inodes, free_inodes] = spaces.get(index).copied().unwrap_or_default();
        let mut place = Place {
            total: blocks.saturating_mul(size),
            free: free.saturating_mul(size),
            free_inodes: (inodes > 0).then_some(free_inodes),
            ..Place::default()
        };
        if let Some(mount) = mount {
            place.mount_point.clone_from(&mount.point);
            place.source.clone_from(&mount.source);
            place.file_system.clone_from(&mount.file_system);
            (place.read_only, place.no_exec) = (mount.has("ro"), mount.has("noexec"));
            (place.no_suid, place.no_dev) = (mount.has("nosuid"), mount.has("nodev"));
        }
        place.existing = existing;
        storage.places.insert(path, place);
    }
    storage
}

pub(super) fn swap(lines: &mut Lines) -> Swap {
    let device = |text: &str| {
        let mut fields = text.split_whitespace();
        Some(SwapDevice {
            path: unescape(fields.next()?),
            kind: fields.next()?.to_owned(),
            size: fields.next()?.parse::<u64>().ok()?.saturating_mul(1024),
        })
    };
    let unit = |text: &str| text.split_whitespace().next().map(str::to_owned);
    Swap {
        active: lines.each("swap", device),
        fstab: lines.all("swap-fstab"),
        units: lines.each("swap-unit", unit),
        zram: !lines.all("zram").is_empty(),
    }
}
