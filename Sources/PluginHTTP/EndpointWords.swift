/// What a plugin calls its endpoints, and what its codes mean in its status.
package struct EndpointWords: Sendable {
    /// One endpoint: `endpoint` or `target`.
    package var noun: String
    /// What holds an endpoint, by the code of its last try.
    package var obstacle: @Sendable (String) -> String
    /// Codes of failures that do not pass by themselves: they count as failing the first time.
    package var lasting: Set<String> = []
    /// The code of an endpoint that nothing can be sent to until its configuration changes, and what is wrong then.
    package var unsendable: (code: String, sentence: String, message: String)?

    package init(noun: String, obstacle: @escaping @Sendable (String) -> String) {
        (self.noun, self.obstacle) = (noun, obstacle)
    }
}

/// What a plugin's status says besides its endpoints: what, and of whom.
package struct StatusNote: Sendable {
    package var what: String
    package var names: [String]

    package init(_ what: String, _ names: [String]) { (self.what, self.names) = (what, names) }
}
