/// A tree of settings from which wrong values are taken away one by one, so that a reader which stops at the first
/// mistake finds them all.
///
/// Paths are text, as `networks[0].port`, and always those of the whole tree: an element that was taken away from an
/// array does not change the numbers of the others.
public struct PrunedJSON: Sendable {
    /// What is left.
    public private(set) var json: JSON
    /// The elements that were taken away, by the path of their array; in ascending order.
    private var removed: [String: [Int]] = [:]
    /// The members that were taken away, by their paths.
    private var lost: Set<String> = []

    /// Begins with the whole tree.
    public init(_ json: JSON) { self.json = json }

    /// Takes away the value at a path.
    /// - Returns: Whether there was one.
    public mutating func remove(_ path: String) -> Bool {
        guard let rest = without(path, json, "") else { return false }
        json = rest
        lost.insert(path)
        return true
    }

    /// Whether the value at a path was taken away, or an element of it: then a reader that misses it has been told why.
    public func hasLost(_ path: String) -> Bool { lost.contains(path) || removed[path] != nil }

    /// Puts a value in the place of a member that is wrong or was taken away, where a reader needs one to read on.
    /// - Returns: Whether its table is there.
    public mutating func put(_ value: JSON, at path: String) -> Bool {
        guard let dot = path.lastIndex(of: ".") else { return false }
        _ = remove(path)
        let member = JSON.Member(String(path[path.index(after: dot)...]), value)
        guard let whole = adding(member, to: String(path[..<dot]), json, "") else { return false }
        json = whole
        return true
    }

    /// A value with a member added to the table at `path` within it; nil where there is no such table.
    private func adding(_ member: JSON.Member, to path: String, _ value: JSON, _ here: String) -> JSON? {
        if var members = value.members {
            if here == path { return .object(members + [member]) }
            for (index, inner) in members.enumerated() {
                let full = here.isEmpty ? inner.key : here + "." + inner.key
                guard path.hasPrefix(full), let new = adding(member, to: path, inner.value, full) else { continue }
                members[index] = JSON.Member(inner.key, new)
                return .object(members)
            }
            return nil
        }
        guard var elements = value.array else { return nil }
        for index in elements.indices {
            let full = "\(here)[\(original(index, of: here))]"
            guard path.hasPrefix(full), let new = adding(member, to: path, elements[index], full) else { continue }
            elements[index] = new
            return .array(elements)
        }
        return nil
    }

    /// The path in the whole tree of what is at `path` in ``json``.
    public func original(_ path: String) -> String {
        guard !removed.isEmpty else { return path }
        var result = ""
        var rest = path[...]
        while let character = rest.first {
            if character == "[", removed[result] != nil, let end = rest.firstIndex(of: "]"),
                let index = Int(rest[rest.index(after: rest.startIndex)..<end])
            {
                result += "[\(original(index, of: result))]"
                rest = rest[rest.index(after: end)...]
            } else {
                result.append(character)
                rest = rest.dropFirst()
            }
        }
        return result
    }

    /// The number that an element of ``json`` has in the whole tree.
    /// - Parameter array: The path of its array in the whole tree.
    public func original(_ index: Int, of array: String) -> Int {
        (removed[array] ?? []).reduce(index) { $1 <= $0 ? $0 + 1 : $0 }
    }

    /// A value without what is at `path` within it; nil where nothing is.
    private mutating func without(_ path: String, _ value: JSON, _ here: String) -> JSON? {
        if var members = value.members {
            for (index, member) in members.enumerated() {
                let full = here.isEmpty ? member.key : here + "." + member.key
                if full == path {
                    members.remove(at: index)
                    return .object(members)
                }
                guard path.hasPrefix(full), let inner = without(path, member.value, full) else { continue }
                members[index] = JSON.Member(member.key, inner)
                return .object(members)
            }
            return nil
        }
        guard var elements = value.array else { return nil }
        for index in elements.indices {
            let original = original(index, of: here)
            let full = "\(here)[\(original)]"
            if full == path {
                elements.remove(at: index)
                removed[here] = ((removed[here] ?? []) + [original]).sorted()
                return .array(elements)
            }
            guard path.hasPrefix(full), let inner = without(path, elements[index], full) else { continue }
            elements[index] = inner
            return .array(elements)
        }
        return nil
    }
}
