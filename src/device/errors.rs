//! What a card's driver says, as sentences.

/// What is meant by an error of the driver, by the name that it gives it.
const MEANINGS: [(&str, &str); 9] = [
    ("NO_DEVICE", "there is no CUDA card in this machine, or none that CUDA_VISIBLE_DEVICES shows"),
    ("OUT_OF_MEMORY", "the card's memory is full: take fewer samples at once, or a smaller `train.batch`"),
    ("SYSTEM_DRIVER_MISMATCH", DRIVER),
    ("UNSUPPORTED_PTX_VERSION", DRIVER),
    ("COMPAT_NOT_SUPPORTED", DRIVER),
    ("STUB_LIBRARY", DRIVER),
    ("INVALID_PTX", CARD),
    ("NO_BINARY_FOR_GPU", CARD),
    ("INVALID_IMAGE", CARD),
];

const DRIVER: &str = "the NVIDIA driver does not match this program: `nvidia-smi` shows which CUDA it serves; update the driver, or build \
                      the program again with that CUDA's toolkit";

const CARD: &str = "the program was built for another generation of cards: build it again with CUDA_COMPUTE_CAP set to this card's, which \
                    `nvidia-smi --query-gpu=compute_cap --format=csv` shows";

/// The sentence for an error of the driver; `None` if it is not the driver's.
pub fn explain(error: &str) -> Option<String> {
    let code = error.split("CUDA_ERROR_").nth(1)?;
    let code: String = code.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
    let meaning =
        MEANINGS.iter().find(|(name, _)| code.starts_with(name)).map_or("the driver gave up", |(_, m)| m);
    Some(format!("{meaning} (CUDA_ERROR_{code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_explained() {
        let said = |code: &str| explain(&format!("DriverError(CUDA_ERROR_{code}, \"…\")\n   0: a backtrace"));
        assert!(said("NO_DEVICE").unwrap().starts_with("there is no CUDA card"));
        assert!(said("OUT_OF_MEMORY").unwrap().starts_with("the card's memory is full"));
        for code in ["SYSTEM_DRIVER_MISMATCH", "UNSUPPORTED_PTX_VERSION", "COMPAT_NOT_SUPPORTED_ON_DEVICE"] {
            let said = said(code).unwrap();
            assert!(
                said.contains("driver does not match") && said.ends_with(&format!("(CUDA_ERROR_{code})"))
            );
        }
        assert!(said("NO_BINARY_FOR_GPU").unwrap().contains("CUDA_COMPUTE_CAP"));
        assert_eq!(said("LAUNCH_FAILED").unwrap(), "the driver gave up (CUDA_ERROR_LAUNCH_FAILED)");
        assert_eq!(explain("a shape that does not fit"), None);
    }
}
