output "issuer" {
  description = "[auth.oidc] issuer."
  value       = "https://${aws_cognito_user_pool.users.endpoint}"
}

output "client_id" {
  description = "[auth.oidc] client_id."
  value       = aws_cognito_user_pool_client.crowbar.id
}

output "client_secret" {
  description = "[auth.oidc] client_secret."
  value       = aws_cognito_user_pool_client.crowbar.client_secret
  sensitive   = true
}

output "user_pool_id" {
  description = "The id of the user pool."
  value       = aws_cognito_user_pool.users.id
}

output "admin_group" {
  description = "[auth.oidc] admin_group."
  value       = aws_cognito_user_group.admins.name
}

output "login_url" {
  description = "The address of Cognito's sign-in page."
  value       = "https://${aws_cognito_user_pool_domain.login.domain}.auth.${data.aws_region.this.region}.amazoncognito.com"
}
