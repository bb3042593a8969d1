import JSONBytes

/// The trace that an event is part of (W3C Trace Context).
package enum EventTrace {
    /// The `traceparent` in an event's `origin`; nil where there is none of the right form, so that nothing else can
    /// get into a header.
    package static func parent(of event: JSONObject) -> String? {
        guard let text = event.object("origin")?.string("traceparent"), text.utf8.count == 55,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || $0 == 0x2D })
        else { return nil }
        return text
    }
}
