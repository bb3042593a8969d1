/// The version of this Crowbar, the one place where it stands.
public enum CrowbarVersion {
    /// By semantic versioning.
    public static let current = "0.1.0"
}
