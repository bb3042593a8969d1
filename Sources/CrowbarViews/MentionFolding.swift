import Foundation

/// How names and texts are compared where a message mentions somebody.
enum MentionFolding {
    /// NFKC, then lower case, then NFKC again, as lower case can leave a text decomposed.
    static func fold(_ text: String) -> String {
        // The same for what most texts consist of, without a way through Foundation.
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
        return text.precomposedStringWithCompatibilityMapping.lowercased().precomposedStringWithCompatibilityMapping
    }
}
