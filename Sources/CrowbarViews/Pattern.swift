/// A row of elements that is looked for in others in a time that grows with their number only, whatever they are:
/// Knuth, Morris and Pratt's way.
struct Pattern<Element: Equatable> {
    private let wanted: [Element]
    /// For each element, how many elements at the pattern's beginning are the same as those that end with it.
    private let borders: [Int]

    init(_ wanted: [Element]) {
        var (borders, matched) = ([Int](repeating: 0, count: wanted.count), 0)
        for index in wanted.indices.dropFirst() {
            while matched > 0, wanted[index] != wanted[matched] { matched = borders[matched - 1] }
            if wanted[index] == wanted[matched] { matched += 1 }
            borders[index] = matched
        }
        self.wanted = wanted
        self.borders = borders
    }

    /// Where it occurs first; nil where it does not. Nothing occurs at the beginning.
    func first(in elements: [Element]) -> Int? {
        if wanted.isEmpty { return 0 }
        var matched = 0
        for (index, element) in elements.enumerated() {
            while matched > 0, element != wanted[matched] { matched = borders[matched - 1] }
            if element == wanted[matched] { matched += 1 }
            if matched == wanted.count { return index + 1 - matched }
        }
        return nil
    }
}
