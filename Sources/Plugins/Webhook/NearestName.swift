/// Finds the name that was probably meant.
enum NearestName {
    /// The name nearest to `text` by letters added, left out or changed, or nil where none is near.
    static func to(_ text: String, among names: [String]) -> String? {
        let limit = max(1, text.count / 3)
        let distances = names.map { (name: $0, distance: distance(Array(text), Array($0))) }
        guard let near = distances.min(by: { $0.distance < $1.distance }), near.distance <= limit else { return nil }
        return near.name
    }

    /// Damerau's distance with neighbours swapped (optimal string alignment).
    private static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
        for i in 0...a.count { rows[i][0] = i }
        for j in 0...b.count { rows[0][j] = j }
        guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
        for i in 1...a.count {
            for j in 1...b.count {
                let change = a[i - 1] == b[j - 1] ? 0 : 1
                rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + change)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
                }
            }
        }
        return rows[a.count][b.count]
    }
}
