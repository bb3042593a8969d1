import CrowbarCore

/// What every ``Markers`` has to do.
public struct MarkersConformance: Sendable {
    /// Makes the check.
    public init() {}

    /// Checks empty markers.
    /// - Throws: ``ConformanceFailure``.
    public func run(_ markers: any Markers) async throws {
        try expectEqual(try await markers.markers(of: "ann"), UserMarkers(), "the markers of a new user")
        // Each step: what is set, and where the marker of the channel is then.
        let steps: [(position: Int64, eventId: String?, onlyForward: Bool, found: Int64)] = [
            (5, "e5", true, 5), (4, "e4", true, 5), (5, "e5", true, 5), (9, "e9", true, 9), (3, nil, false, 3),
            (3, nil, false, 3), (4, "e4", true, 4), (8, nil, false, 8), (.max, "e", true, .max), (0, nil, false, 0),
        ]
        var (before, revisions) = (Int64(0), Set<Int64>())
        var isFirst = true
        for step in steps {
            let isMoved = try await markers.set(
                ReadMarker(position: step.position, eventId: step.eventId), of: "ann", in: "general",
                onlyForward: step.onlyForward)
            let found = try await markers.markers(of: "ann")
            let marker = found.channels["general"]
            try expectEqual(marker?.position, step.found, "the marker after \(step)")
            if step.found == step.position { try expectEqual(marker?.eventId, step.eventId, "the event of \(step)") }
            let isChanged = isFirst || before != step.found
            try expectEqual(isMoved, isChanged, "whether \(step) moved it")
            try expectEqual(revisions.insert(found.revision).inserted, isChanged, "a new revision after \(step)")
            (before, isFirst) = (step.found, false)
        }
        let other = ReadMarker(position: 7, eventId: "e7")
        _ = try await markers.set(other, of: "ann", in: "den", onlyForward: true)
        _ = try await markers.set(other, of: "bob", in: "den", onlyForward: true)
        let ann = try await markers.markers(of: "ann").channels
        try expectEqual(ann, ["general": ReadMarker(position: 0, eventId: nil), "den": other], "all markers")
        try expectEqual(try await markers.markers(of: "bob").channels, ["den": other], "another user's")
    }
}
