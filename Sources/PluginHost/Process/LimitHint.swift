/// What the operator is told of a plugin that fell and may have met one of its own limits.
enum LimitHint {
    /// What programs and languages say when they get no more memory, in lower case.
    private static let memoryWords = ["memory", "bad_alloc", "allocation failed"]
    private static let filesWords = ["too many open files"]
    private static let accessWords = ["permission denied", "eacces", "operation not permitted"]

    /// A hint to be put behind the reason; empty where there is none to give.
    static func text(_ manifest: Manifest, _ how: ProcessEnd, lastLine: String) -> String {
        guard how != .exited(0) else { return "" }
        let line = lastLine.lowercased()
        func says(_ words: [String]) -> Bool { words.contains { line.contains($0) } }
        var hints: [String] = []
        var isSignalled = false
        if case .signalled = how { isSignalled = true }
        if let memory = manifest.limits?.memory, isSignalled || says(memoryWords) {
            hints.append("limits.memory allows each process \(memory >> 10) KB")
        }
        if let files = manifest.limits?.files, says(filesWords) {
            hints.append("limits.files allows each process \(files)")
        }
        if says(accessWords) {
            if manifest.sandbox?.network != true {
                hints.append("the network is closed to it until its manifest says [sandbox] network = true")
            }
            if manifest.sandbox != nil {
                hints.append("of files it has what [sandbox] read and write name (docs/sandbox.md)")
            }
        }
        return hints.map { "; " + $0 }.joined()
    }
}
