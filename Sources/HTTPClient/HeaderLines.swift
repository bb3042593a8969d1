import Glibc

/// Texts as C has them, such as header lines, for as long as the object lives.
package final class HeaderLines {
    /// The lines; a null pointer ends them.
    package let lines: UnsafeMutablePointer<UnsafePointer<CChar>?>
    private let count: Int

    package init(_ texts: [String]) {
        count = texts.count
        lines = .allocate(capacity: count + 1)
        for (i, text) in texts.enumerated() { (lines + i).initialize(to: strdup(text).map { UnsafePointer($0) }) }
        (lines + count).initialize(to: nil)
    }

    deinit {
        for i in 0..<count { free(UnsafeMutablePointer(mutating: lines[i])) }
        lines.deallocate()
    }
}
