/// Whose credentials a request is signed with.
enum CredentialOrigin: Hashable, Sendable {
    /// The plugin's own.
    case own
    /// Those of a role, got with the plugin's own.
    case role(Role)

    /// The origin for a target.
    init(_ target: Target) { self = target.role.map { .role($0) } ?? .own }
}
