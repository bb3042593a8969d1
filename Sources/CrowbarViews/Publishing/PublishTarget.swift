import HTTPClient

/// A folder or bucket that views are copied to: one `[[views.publish]]` of the configuration.
public struct PublishTarget: Sendable, Equatable {
    /// Which views can be published.
    public enum View: String, Sendable, CaseIterable {
        case allChannels = "allchannels"
        case channel
        case messages
        case allMessages = "allmessages"
    }

    /// Where the files go.
    public enum Destination: Sendable, Equatable {
        /// A folder of this machine.
        case folder(String)
        /// A bucket of S3 or of a store that is compatible with it.
        case bucket(Bucket)
    }

    /// Where the files go.
    public var destination: Destination
    /// The views that are published.
    public var views: Set<View>
    /// The shortest time between two looks at what changed, in milliseconds.
    public var every: Int64

    /// The views where the configuration does not say.
    public static let usualViews: Set<View> = [.allChannels, .channel, .messages]
    /// `every` where the configuration does not say, in milliseconds.
    public static let usualInterval: Int64 = 1_000

    /// Makes a target.
    public init(_ destination: Destination, views: Set<View> = usualViews, every: Int64 = usualInterval) {
        self.destination = destination
        self.views = views
        self.every = every
    }

    /// The file that marks a folder as one that Crowbar publishes to.
    public static let folderMark = ".crowbar-published"

    /// How the target is named in logs, listings and the table of what was published. It has no secrets.
    public var name: String {
        switch destination {
        case .folder(let path): path
        case .bucket(let bucket): "s3://\(bucket.name)\(bucket.prefix.isEmpty ? "" : "/" + bucket.prefix)"
        }
    }
}

/// A bucket, and what it takes to reach it.
public struct Bucket: Sendable, Equatable {
    /// The bucket's name.
    public var name: String
    /// What stands before each key, without slashes at its ends; empty for none.
    public var prefix: String
    /// The region that requests are signed for.
    public var region: String
    /// The store's endpoint, as `http://127.0.0.1:5000`; nil for S3's own of the region.
    package var endpoint: ServiceEndpoint?
    /// Whose requests they are.
    package var credentials: CredentialSettings

    package init(
        name: String, prefix: String, region: String, endpoint: ServiceEndpoint? = nil,
        credentials: CredentialSettings = CredentialSettings()
    ) {
        self.name = name
        self.prefix = prefix
        self.region = region
        self.endpoint = endpoint
        self.credentials = credentials
    }

    /// Where the store is.
    ///
    /// S3's own endpoints have the bucket in their host names, except for buckets with dots, which no certificate
    /// covers.
    package var place: (endpoint: ServiceEndpoint, path: String) {
        if let endpoint { return (endpoint, "/\(name)") }
        let host = "s3.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")"
        return name.contains(".")
            ? (ServiceEndpoint(https: host), "/\(name)") : (ServiceEndpoint(https: "\(name).\(host)"), "")
    }
}
